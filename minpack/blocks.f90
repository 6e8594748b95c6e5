! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> Rows of a fit whose model is evaluated elsewhere, for many fits in one call.
!>
!> The values of the model come in; weighted residuals, their differences, and what they fold into are worked out
!> here, each number as a single fit would have it, so that many fits are the single ones to the last bit.
module blocks
    use kinds, only: wp, long, row_block, task_done, task_jacobian
    use norms, only: enorm
    use row_folding, only: fold_block
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
        integer, intent(in) :: weighted             !! 1: with weights
        real(wp), intent(in) :: weights(*)          !! reciprocal standard deviations (m); 0 leaves a point out
        type(lm_fit), intent(inout) :: fit          !! scalars of the fit
        integer, intent(inout) :: ipvt(n)           !! its pivots
        real(wp), intent(inout) :: work(*)          !! its arrays
        real(wp), intent(out) :: f(m)               !! work: residuals
        real(wp), intent(inout) :: x(n)             !! out: the next point, or the solution
        integer, intent(out) :: task                !! what the fit wants next

        call weighted_residuals(m, values, y, weighted, weights, f)
        call lm_norm(m, n, enorm(m, f), fit, ipvt, work, x, task)
    end subroutine take_values

    !> Take in the derivatives of the model at the point a fit last asked about.
    !>
    !> The derivative of value i by parameter j is entry 1 + (i - 1)*row_stride + (j - 1)*column_stride of `slopes`;
    !> or, if `differenced`, that holds the value a step h(j) further.
    pure subroutine take_slopes(m, n, values, y, weighted, weights, slopes, row_stride, column_stride, differenced, h, &
                                fit, ipvt, work, rows, head, x, task)
        integer, intent(in) :: m, n
        real(wp), intent(in) :: values(m), y(m)
        integer, intent(in) :: weighted
        real(wp), intent(in) :: weights(*)
        real(wp), intent(in) :: slopes(*)
        integer(long), intent(in) :: row_stride, column_stride
        integer, intent(in) :: differenced          !! 1: slopes holds values a step further
        real(wp), intent(in) :: h(n)                !! those steps
        type(lm_fit), intent(inout) :: fit
        integer, intent(inout) :: ipvt(n)
        real(wp), intent(inout) :: work(*)
        real(wp), intent(inout) :: rows(*)          !! work: rows being factored (min(m, row_block), n + 1)
        real(wp), intent(inout) :: head(n, n + 1)   !! work: triangle of a tall Jacobian
        real(wp), intent(inout) :: x(n)             !! out: the next point, or the solution
        integer, intent(out) :: task                !! what the fit wants next

        integer :: evaluations, first, count

        evaluations = 0
        if (differenced == 1) evaluations = n
        if (m <= row_block) then
            call fill_rows(m, n, m, values, y, weighted, weights, slopes, row_stride, column_stride, differenced, h, &
                           rows)
            call lm_rows(m, n, m, rows, evaluations, fit, ipvt, work, x, task)
            return
        end if
        head = 0.0_wp
        do first = 1, m, row_block
            count = min(row_block, m - first + 1)
            call fill_rows(count, n, row_block, values(first), y(first), weighted, weights(first), &
                           slopes(1 + (first - 1)*row_stride), row_stride, column_stride, differenced, h, rows)
            call fold_block(count, n, rows, head)
        end do
        call lm_rows(m, n, n, head, evaluations, fit, ipvt, work, x, task)
    end subroutine take_slopes

    !> Residuals, weighted; points without weight count for nothing, whatever the model gives there.
    pure subroutine weighted_residuals(m, values, y, weighted, weights, f)
        integer, intent(in) :: m
        real(wp), intent(in) :: values(m), y(m)
        integer, intent(in) :: weighted
        real(wp), intent(in) :: weights(*)
        real(wp), intent(out) :: f(m)

        integer :: i

        do i = 1, m
            f(i) = values(i) - y(i)
        end do
        if (weighted == 0) return
        do i = 1, m
            f(i) = f(i)*weights(i)
            if (weights(i) == 0.0_wp) f(i) = 0.0_wp
        end do
    end subroutine weighted_residuals

    !> Weighted derivatives of some rows, and residuals last.
    pure subroutine fill_rows(count, n, leading, values, y, weighted, weights, slopes, row_stride, column_stride, &
                              differenced, h, rows)
        integer, intent(in) :: count                !! rows
        integer, intent(in) :: n
        integer, intent(in) :: leading              !! rows there is room for
        real(wp), intent(in) :: values(count), y(count)
        integer, intent(in) :: weighted
        real(wp), intent(in) :: weights(*)
        real(wp), intent(in) :: slopes(*)
        integer(long), intent(in) :: row_stride, column_stride
        integer, intent(in) :: differenced
        real(wp), intent(in) :: h(n)
        real(wp), intent(inout) :: rows(leading, n + 1)

        integer :: i, j

        call weighted_residuals(count, values, y, weighted, weights, rows(1, n + 1))
        do j = 1, n
            if (differenced == 1) then
                ! The values of one parameter lie together.
                call weighted_residuals(count, slopes(1 + (j - 1)*column_stride), y, weighted, weights, rows(1, j))
                do i = 1, count
                    rows(i, j) = (rows(i, j) - rows(i, n + 1))/h(j)
                end do
            else
                do i = 1, count
                    rows(i, j) = slopes(1 + (i - 1)*row_stride + (j - 1)*column_stride)
                end do
                if (weighted == 0) cycle
                do i = 1, count
                    rows(i, j) = rows(i, j)*weights(i)
                    if (weights(i) == 0.0_wp) rows(i, j) = 0.0_wp
                end do
            end if
        end do
    end subroutine fill_rows

end module blocks
