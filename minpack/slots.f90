! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> Rows of a fit whose model is evaluated elsewhere, for many fits in one call.
!>
!> The values of the model come in; weighted residuals, their differences, and what they fold into are worked out
!> in `rows`, each number as a single fit would have it, so that many fits are the single ones to the last bit.
module slots
    use kinds, only: wp, long, row_block, task_done, task_jacobian
    use row_folding, only: fold_block
    use rows, only: keep_values, cost_norm, fill_rows, scale_rows
    use lm, only: lm_fit, lm_norm, lm_rows
    implicit none (type, external)
    private
    public :: take_values, take_slopes

contains

    !> Take in the values of the model at the point a fit last asked about.
    pure subroutine take_values(m, n, values, y, weighted, weights, fit, ipvt, work, f, x, task)
        integer, intent(in) :: m                    !! points
        integer, intent(in) :: n                    !! parameters
        real(wp), intent(in) :: values(m)           !! values of the model
        real(wp), intent(in) :: y(m)                !! observations
        logical, intent(in) :: weighted             !! with weights
        real(wp), intent(in) :: weights(*)          !! reciprocal standard deviations (m); 0 leaves a point out
        type(lm_fit), intent(inout) :: fit          !! scalars of the fit
        integer, intent(inout) :: ipvt(n)           !! its pivots
        real(wp), intent(inout) :: work(*)          !! its arrays
        real(wp), intent(out) :: f(m)               !! work: residuals
        real(wp), intent(inout) :: x(n)             !! out: the next point, or the solution
        integer, intent(out) :: task                !! what the fit wants next

        call keep_values(m, values, y, weighted, weights, fit%loss, f)
        call lm_norm(m, n, cost_norm(m, f, fit%loss, fit%f_scale, y, weighted, weights), fit, ipvt, work, x, task)
    end subroutine take_values

    !> Take in the derivatives of the model at the point a fit last asked about.
    !>
    !> The derivative of value i by parameter j is entry 1 + (i - 1)*row_stride + (j - 1)*column_stride of `slopes`;
    !> or, if `differenced`, that holds the value a step h(j) further.
    pure subroutine take_slopes(m, n, values, y, weighted, weights, slopes, row_stride, column_stride, differenced, h, &
                                fit, ipvt, work, block, head, x, task)
        integer, intent(in) :: m, n
        real(wp), intent(in) :: values(m), y(m)
        logical, intent(in) :: weighted
        real(wp), intent(in) :: weights(*)
        real(wp), intent(in) :: slopes(*)
        integer(long), intent(in) :: row_stride, column_stride
        logical, intent(in) :: differenced          !! whether slopes holds values a step further
        real(wp), intent(in) :: h(n)                !! those steps; 0 where there is none to take
        type(lm_fit), intent(inout) :: fit
        integer, intent(inout) :: ipvt(n)
        real(wp), intent(inout) :: work(*)
        real(wp), intent(inout) :: block(*)         !! work: rows being factored
        real(wp), intent(inout) :: head(n, n + 1)   !! work: triangle of a tall Jacobian
        real(wp), intent(inout) :: x(n)             !! out: the next point, or the solution
        integer, intent(out) :: task                !! what the fit wants next

        integer :: evaluations, height, first, count, j

        evaluations = 0
        do j = 1, n
            if (differenced .and. h(j) /= 0.0_wp) evaluations = evaluations + 1
        end do
        if (m <= row_block) then
            ! Fewer points than parameters, some of which are fixed, leave rows of zeros.
            height = max(m, n)
            if (height > m) block(1:height*(n + 1)) = 0.0_wp
            call fill_rows(m, n, height, values, y, weighted, weights, fit%loss, slopes, row_stride, column_stride, &
                           differenced, h, block)
            call scale_rows(m, n, height, fit%loss, fit%f_scale, y, weighted, weights, block)
            call lm_rows(m, n, height, block, evaluations, fit, ipvt, work, x, task)
            return
        end if
        head = 0.0_wp
        do first = 1, m, row_block
            count = min(row_block, m - first + 1)
            call fill_rows(count, n, row_block, values(first), y(first), weighted, weights(first), fit%loss, &
                           slopes(1 + (first - 1)*row_stride), row_stride, column_stride, differenced, h, block)
            call scale_rows(count, n, row_block, fit%loss, fit%f_scale, y(first), weighted, weights(first), block)
            call fold_block(count, n, block, head)
        end do
        call lm_rows(m, n, n, head, evaluations, fit, ipvt, work, x, task)
    end subroutine take_slopes

end module slots
