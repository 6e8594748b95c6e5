! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> Rows of a fit: from values and derivatives of a model, with observations, weights and a loss, to [J r] and the cost.
!>
!> Of the values of a model `keep_values` keeps what everything else follows from: weighted residuals, or for counts
!> the values themselves. Differences of kept values are weighted derivatives. Points without weight count for nothing,
!> whatever the model gives there. Without a loss these are residuals, and nothing is done to them.
module rows
    use, intrinsic :: iso_fortran_env, only: int64
    use kinds, only: wp, long, row_block, not_a_number
    use norms, only: enorm
    use solver_options, only: loss_linear, loss_soft_l1, loss_huber, loss_cauchy, loss_arctan, loss_poisson, &
        least_share
    implicit none (type, external)
    private
    public :: keep_values, cost_norm, fill_rows, gather_slopes, scale_rows

contains

    !> Keep of the values of a model what rows and cost are made of.
    pure subroutine keep_values(m, values, y, weighted, weights, loss, f)
        integer, intent(in) :: m                    !! points
        real(wp), intent(in) :: values(m)           !! values of the model
        real(wp), intent(in) :: y(m)                !! observations
        logical, intent(in) :: weighted             !! with weights
        real(wp), intent(in) :: weights(*)          !! reciprocal standard deviations (m); 0 leaves a point out
        integer, intent(in) :: loss                 !! code of the loss
        real(wp), intent(out) :: f(m)               !! weighted residuals; for counts, values

        integer :: i

        if (loss == loss_poisson) then
            f = values
        else
            do i = 1, m
                f(i) = values(i) - y(i)
            end do
        end if
        if (.not. weighted) return
        do i = 1, m
            f(i) = f(i)*weights(i)
            if (weights(i) == 0.0_wp) f(i) = 0.0_wp
        end do
    end subroutine keep_values

    !> The square root of the cost: without a loss, the norm of the residuals.
    pure function cost_norm(m, f, loss, f_scale, y, weighted, weights) result(norm)
        integer, intent(in) :: m                    !! points
        real(wp), intent(in) :: f(m)                !! what `keep_values` kept
        integer, intent(in) :: loss                 !! code of the loss
        real(wp), intent(in) :: f_scale             !! its scale
        real(wp), intent(in) :: y(*)                !! observations (m); only those of counts are looked at
        logical, intent(in) :: weighted             !! with weights
        real(wp), intent(in) :: weights(*)          !! weights (m); only those of counts are looked at
        real(wp) :: norm

        real(wp) :: costs(row_block), total
        integer :: first, count, counted, i

        if (loss == loss_linear) then
            norm = enorm(m, f)
            return
        end if
        total = 0.0_wp
        do first = 1, m, row_block
            count = min(row_block, m - first + 1)
            counted = merge(first, 1, loss == loss_poisson)
            call loss_costs(count, loss, f_scale, y(counted), f(first), costs)
            do i = 1, count
                if (loss == loss_poisson .and. weighted) then
                    if (weights(first + i - 1) == 0.0_wp) cycle
                end if
                total = total + costs(i)
            end do
        end do
        norm = sqrt(total)
    end function cost_norm

    !> Weighted derivatives of some points, and what was kept of their values last.
    !>
    !> The derivative of value i by parameter j is entry 1 + (i - 1)*row_stride + (j - 1)*column_stride of `slopes`;
    !> or, if `differenced`, that holds the value a step h(j) further.
    pure subroutine fill_rows(count, n, leading, values, y, weighted, weights, loss, slopes, row_stride, &
                              column_stride, differenced, h, block)
        integer, intent(in) :: count                !! points
        integer, intent(in) :: n                    !! parameters
        integer, intent(in) :: leading              !! rows there is room for
        real(wp), intent(in) :: values(count)       !! values of the model
        real(wp), intent(in) :: y(count)            !! observations
        logical, intent(in) :: weighted             !! with weights
        real(wp), intent(in) :: weights(*)          !! weights (count)
        integer, intent(in) :: loss                 !! code of the loss
        real(wp), intent(in) :: slopes(*)           !! derivatives
        integer(long), intent(in) :: row_stride, column_stride
        logical, intent(in) :: differenced          !! whether slopes holds values a step further
        real(wp), intent(in) :: h(n)                !! those steps; 0 where there is none to take
        real(wp), intent(inout) :: block(leading, n + 1)    !! out: the rows

        integer :: i, j

        call keep_values(count, values, y, weighted, weights, loss, block(1, n + 1))
        do j = 1, n
            if (differenced .and. h(j) == 0.0_wp) then
                block(1:count, j) = 0.0_wp
            else if (differenced) then
                ! The values of one parameter lie together.
                call keep_values(count, slopes(1 + (j - 1)*column_stride), y, weighted, weights, loss, block(1, j))
                do i = 1, count
                    block(i, j) = (block(i, j) - block(i, n + 1))/h(j)
                end do
            else
                call gather_slopes(count, 1, leading, slopes(1 + (j - 1)*column_stride), row_stride, column_stride, &
                                   weighted, weights, block(1, j))
            end if
        end do
    end subroutine fill_rows

    !> Copy derivatives from where they lie, weighted.
    pure subroutine gather_slopes(count, n, leading, slopes, row_stride, column_stride, weighted, weights, block)
        integer, intent(in) :: count                !! points
        integer, intent(in) :: n                    !! columns
        integer, intent(in) :: leading              !! rows there is room for
        real(wp), intent(in) :: slopes(*)           !! derivatives, see fill_rows
        integer(long), intent(in) :: row_stride, column_stride
        logical, intent(in) :: weighted             !! with weights
        real(wp), intent(in) :: weights(*)          !! weights (count)
        real(wp), intent(inout) :: block(leading, n)        !! out: weighted derivatives

        integer :: i, j

        do j = 1, n
            do i = 1, count
                block(i, j) = slopes(1 + (i - 1)*row_stride + (j - 1)*column_stride)
            end do
            if (.not. weighted) cycle
            do i = 1, count
                block(i, j) = block(i, j)*weights(i)
                if (weights(i) == 0.0_wp) block(i, j) = 0.0_wp
            end do
        end do
    end subroutine gather_slopes

    !> Scale rows as the loss wants it: from weighted derivatives and kept values to [J r].
    pure subroutine scale_rows(count, n, leading, loss, f_scale, y, weighted, weights, block)
        integer, intent(in) :: count                !! points
        integer, intent(in) :: n                    !! parameters
        integer, intent(in) :: leading              !! rows there is room for
        integer, intent(in) :: loss                 !! code of the loss
        real(wp), intent(in) :: f_scale             !! its scale
        real(wp), intent(in) :: y(*)                !! observations (count); only those of counts are looked at
        logical, intent(in) :: weighted             !! with weights
        real(wp), intent(in) :: weights(*)          !! weights (count); only those of counts are looked at
        real(wp), intent(inout) :: block(leading, n + 1)    !! derivatives and kept values; out: J and r

        real(wp) :: costs(row_block), factors(row_block)
        integer :: first, part, counted, i, j

        if (loss == loss_linear) return
        do first = 1, count, row_block
            part = min(row_block, count - first + 1)
            counted = merge(first, 1, loss == loss_poisson)
            call loss_rows(part, loss, f_scale, .false., y(counted), block(first, n + 1), costs, factors)
            factors(1:part) = sqrt(factors(1:part))
            do i = 1, part
                block(first + i - 1, n + 1) = block(first + i - 1, n + 1)/factors(i)
            end do
            if (loss == loss_poisson .and. weighted) then
                do i = 1, part
                    if (weights(first + i - 1) /= 0.0_wp) cycle
                    factors(i) = 0.0_wp
                    block(first + i - 1, n + 1) = 0.0_wp
                end do
            end if
            do j = 1, n
                do i = 1, part
                    block(first + i - 1, j) = block(first + i - 1, j)*factors(i)
                end do
            end do
        end do
    end subroutine scale_rows

    include 'lanes/lane_log.inc'
    include 'losses.inc'

end module rows
