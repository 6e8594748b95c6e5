! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> Patterns in the predictors of a data set, which spare models work.
!>
!> An image with its lines one after the other has few coordinates, each many times: one coordinate is the same along a
!> line, and the other is that of the line before. What a model makes of either alone is worked out once for each.
module lane_patterns
    use kinds, only: wp
    implicit none (type, external)
    private
    public :: line_of

contains

    !> Points of a line of an image: positive if the first coordinate changes along it, negative if the second does.
    !> Zero if these are not the points of an image, or of one that has hardly fewer coordinates than points. This
    !> depends on one data set alone, and so do the numbers of its fit.
    pure integer function line_of(m, predictors, x) result(line)
        integer, intent(in) :: m                        !! points
        integer, intent(in) :: predictors
        real(wp), intent(in) :: x(m, predictors)        !! predictors

        line = 0
        if (predictors /= 2 .or. m < 2) return
        if (x(1, 2) == x(2, 2)) then
            line = points_of_line(m, x(:, 1), x(:, 2))
        else if (x(1, 1) == x(2, 1)) then
            line = -points_of_line(m, x(:, 2), x(:, 1))
        end if
    end function line_of

    !> Points of a line along which `fast` changes and `slow` does not, or zero.
    pure integer function points_of_line(m, fast, slow) result(points)
        integer, intent(in) :: m
        real(wp), intent(in) :: fast(m), slow(m)

        integer :: count, i

        points = 0
        do count = 1, m - 1
            if (.not. slow(count + 1) == slow(1)) exit
        end do
        if (mod(m, count) /= 0 .or. 2*(count + m/count) > m) return
        do i = 1, m
            if (.not. (fast(i) == fast(mod(i - 1, count) + 1) .and. slow(i) == slow(i - mod(i - 1, count)))) return
        end do
        points = count
    end function points_of_line

end module lane_patterns
